"""The evaluation of ranking with simulated readers, on recorded or invented news."""
