"""In the PYTHONPATH of a process: its clock is CLOCK_OFF seconds ahead, or behind if negative."""

import os
import time
from datetime import UTC, datetime, timedelta

from django.utils import timezone

OFF = float(os.environ.get("CLOCK_OFF", "0"))
_time = time.time

time.time = lambda: _time() + OFF
timezone.now = lambda: datetime.now(UTC) + timedelta(seconds=OFF)
