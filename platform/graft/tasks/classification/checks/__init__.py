"""Labels that are likelier wrong than right."""
