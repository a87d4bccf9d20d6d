"""Mail: notices that wait to be sent, and the marketing lists that customers are on."""
