# syntax=docker/dockerfile:1

# Two stages: the compiler makes one self-contained executable, and only that goes into the image that runs. The runtime has
# glibc, libstdc++ and libgcc (libsecp256k1's addon is linked to them) and CA certificates, and no shell, no package manager, no Bun.
FROM oven/bun:1.4.4-slim AS build
WORKDIR /build
# The lock file alone first, so that a change of the sources does not install everything again.
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production
COPY tsconfig.json ./
COPY scripts/build.ts ./scripts/
COPY data ./data
COPY actors ./actors
COPY src ./src
RUN bun scripts/build.ts && mkdir /empty

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/dist/l402-numbers /l402-numbers
# A new named volume takes its owner from here; without it the data would belong to root.
COPY --from=build --chown=65532:65532 --chmod=0700 /empty /data
USER 65532:65532
WORKDIR /data
# Secrets come as files (HEROSMS_API_KEY_FILE=/run/secrets/...), never from the image. An image without a node and a
# provider must not sell: it refuses to start as a sandbox.
ENV HOST=0.0.0.0 \
    PORT=3000 \
    DATA_DIR=/data \
    LOG_FORMAT=json \
    REFUSE_SANDBOX=1
EXPOSE 3000
VOLUME ["/data"]
# Stops taking orders, finishes what runs, closes the database; give it 35 seconds (docker stop --time 35).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["/l402-numbers", "healthcheck"]
ENTRYPOINT ["/l402-numbers"]
