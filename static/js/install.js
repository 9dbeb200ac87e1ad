// Registers the service worker, which shows a page when the site can't be reached.
navigator.serviceWorker?.register("/worker.js");
