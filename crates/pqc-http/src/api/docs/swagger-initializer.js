// Starts Swagger UI on this server's document. No validator: it would send the document elsewhere.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  validatorUrl: null,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
});
