.PHONY: up test check protos bench scenarios help
help:   ## what each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST)
up:     ## set up, start one region with sandbox providers, play the tour, stay up
	@bin/up
test:   ## set up and run every test
	@bin/test
check:  ## format, lint, types, imports, protos
	@bin/check
protos: ## regenerate gen/ from protos/
	@bin/protos
bench:  ## figures as JSON lines
	@bin/bench
scenarios: ## policy tests, as privacy staff read them
	@bin/scenarios
