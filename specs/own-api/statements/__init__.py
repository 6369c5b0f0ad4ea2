"""An API of one's own: what a merchant's payments add up to."""
