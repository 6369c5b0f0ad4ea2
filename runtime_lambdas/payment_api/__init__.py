"""The payments API behind an Application Load Balancer: payments, their refunds, and its health."""
