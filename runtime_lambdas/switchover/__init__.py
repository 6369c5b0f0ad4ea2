"""Where the steps of the switchover run: inside the VPC, next to both databases."""
