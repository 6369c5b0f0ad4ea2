"""What paymig does with AWS."""
