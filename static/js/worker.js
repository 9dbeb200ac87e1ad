// The service worker: shows the offline page when the site can't be reached. It caches this page
// and its files alone; a reader's pages are never stored. `FILES` comes from the address /worker.js.
// With a CDN, static files have another host.
const ADDRESSES = new Set(self.FILES.map((file) => new URL(file, self.location).href));
const CACHE = `offline ${self.FILES.join(" ")}`;

self.addEventListener("install", (event) => {
  const requests = self.FILES.map((file) => new Request(file, { cache: "reload", credentials: "omit" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    const old = (await caches.keys()).filter((name) => name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.registration.navigationPreload?.enable();
  })());
});

async function pageOrOffline(event) {
  try {
    return (await event.preloadResponse) || (await fetch(event.request));
  } catch {
    return (await caches.match("/offline/")) || Response.error();
  }
}

async function cachedFile(request) {
  return (await caches.match(request)) || fetch(request);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") event.respondWith(pageOrOffline(event));
  else if (ADDRESSES.has(request.url)) event.respondWith(cachedFile(request));
});
