"""Settings for customers' rights: the data that the shop keeps, its controller, and how requests are answered."""
