// Proposes the time zone of the browser to a new reader.
const zone = document.querySelector("#id_time_zone");
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone?.value === "UTC" && here) zone.value = here;
