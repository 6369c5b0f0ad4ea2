"""The payments API: `POST /payments`, `GET /payments/{id}` and `GET /health` behind an Application Load Balancer."""
