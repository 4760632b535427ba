# Two images: `service` for gateway and keeper, small and without torch; `worker` for a GPU (or a CPU).
#   docker build --target service -t tessera-service .
#   docker build --target worker -t tessera-worker .

FROM python:3.12-slim-bookworm AS base
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    TESSERA_HOST=0.0.0.0 \
    TESSERA_METRICS_HOST=0.0.0.0 \
    TESSERA_MODELS_FILE=/srv/tessera/models/models.toml
RUN useradd --system --uid 10001 --create-home tessera
WORKDIR /srv/tessera
COPY pyproject.toml constraints.txt README.md LICENSE ./
ENTRYPOINT ["python", "-m"]

FROM base AS service
# The libraries first, so that a change of ours does not fetch them again.
RUN pip install --constraint constraints.txt '.[api,keeper]'
COPY shared shared
COPY tessera tessera
COPY api api
COPY keeper keeper
RUN pip install --no-deps --force-reinstall .
COPY models/models.toml models/models.toml
USER 10001
EXPOSE 8080 9100
CMD ["api"]

# torch from PyPI brings the CUDA libraries; the host's driver comes in with the NVIDIA runtime.
FROM base AS worker
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN pip install --constraint constraints.txt '.[worker,gpu]'
COPY shared shared
COPY tessera tessera
COPY worker worker
RUN pip install --no-deps --force-reinstall .
COPY models models
USER 10001
EXPOSE 9100
CMD ["worker"]
