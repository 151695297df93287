"""Data in stores: S3, Google Cloud Storage, Azure, the hub, the web; one door for whoever lists or reads them."""
