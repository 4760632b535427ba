# Two images: `service` for gateway and keeper, small and without torch; `worker` for a GPU (or a CPU).
#   docker build --target service -t tessera-service .
#   docker build --target worker -t tessera-worker .

FROM python:3.12-slim-bookworm AS base
ENV PATH=/opt/tessera/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TESSERA_HOST=0.0.0.0 \
    TESSERA_METRICS_HOST=0.0.0.0 \
    TESSERA_MODELS_FILE=/srv/tessera/models/models.toml
LABEL org.opencontainers.image.title="Tessera" \
      org.opencontainers.image.description="Self-hosted, asynchronous image generation" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --create-home tessera \
    && install -d -o tessera -g tessera /home/tessera/.cache
WORKDIR /srv/tessera
ENTRYPOINT ["python", "-m"]

# What pip needs stays behind in these two.
FROM base AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/tessera
COPY pyproject.toml constraints.txt README.md LICENSE ./

FROM build AS build-service
# The libraries first, so that a change of ours does not fetch them again.
RUN pip install --constraint constraints.txt '.[api,keeper,tracing]'
COPY shared shared
COPY tessera tessera
COPY api api
COPY keeper keeper
RUN pip install --no-deps --force-reinstall .

# torch from PyPI brings the CUDA libraries; the host's driver comes in with the NVIDIA runtime.
FROM build AS build-worker
RUN pip install --constraint constraints.txt '.[worker,gpu,tracing]'
COPY shared shared
COPY tessera tessera
COPY worker worker
RUN pip install --no-deps --force-reinstall .

FROM base AS service
LABEL org.opencontainers.image.title="Tessera: gateway and keeper"
COPY --from=build-service /opt/tessera /opt/tessera
COPY models/models.toml models/models.toml
USER 10001
EXPOSE 8080 9100
CMD ["api"]

FROM base AS worker
LABEL org.opencontainers.image.title="Tessera: worker"
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build-worker /opt/tessera /opt/tessera
COPY models models
USER 10001
EXPOSE 9100
CMD ["worker"]
