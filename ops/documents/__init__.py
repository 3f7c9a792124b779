"""Documents that are made from what runs: the outline of the API, the data model, the Postman collection."""
