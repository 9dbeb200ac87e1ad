"""The checklist of a production installation, which `manage.py doctor --production` checks."""
