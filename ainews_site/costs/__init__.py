"""What this installation uses, and what that costs, for `manage.py costs`."""
