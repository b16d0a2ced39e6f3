/* The API page: Swagger UI, from this server's own files, about this server. */

const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = () => document.documentElement.classList.toggle("dark-mode", dark.matches);

dark.addEventListener("change", colour);
colour();

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  filter: false,
  showExtensions: false,
  tryItOutEnabled: true,
  validatorUrl: null, // the default asks a server on the internet
});
