# One image for every service; the service is chosen by argument:
#
#   docker build --file deploy/images/service.Dockerfile --tag accord-service:dev .
#   docker run accord-service:dev services.sharing check-config
#
# The base is named by tag here, so that a build takes its security fixes. A release pins it: the
# release build passes --build-arg PYTHON=python@sha256:… with the digest that it scanned and tested,
# and the overlays of deploy/k8s/regions name the resulting image by digest.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv --without-pip /opt/accord
COPY deploy/images/requirements.lock /build/requirements.lock
# What serves and nothing else: no compiler, no test tool; each file has the hash of the lock.
RUN pip --python /opt/accord/bin/python install --no-deps --require-hashes --only-binary :all: \
    --requirement /build/requirements.lock
WORKDIR /opt/accord/lib/python3.11/site-packages
COPY gen/accord accord
COPY sdk/accord_client accord_client
COPY runtime runtime
COPY services services
RUN /opt/accord/bin/python -m compileall -q .

FROM ${PYTHON}
# Packages are read by everyone and written by no one: the process is not their owner.
COPY --from=build /opt/accord /opt/accord
ENV PATH=/opt/accord/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 65532:65532
# -P: what others write into the working directory is not imported.
ENTRYPOINT ["python", "-P", "-m"]
CMD ["services.sharing", "check-config"]
