"""What the templates show of PCI DSS v4.0.1, requirement by requirement, and the inventories that it asks for."""
