"""The wire to the browser: routes, pages, forms, headers."""
