import { redisServers, startRedis } from './platform-redis.js';
import { type Backend, describeQueue } from './platform-queue-stories.js';

const onRedis = (command: Parameters<typeof startRedis>[0]) => async (): Promise<Backend> => {
  const redis = await startRedis(command);
  return { env: { REDIS_URL: redis.url }, forget: () => redis.flush(), stop: () => redis.stop() };
};

for (const [name, command] of redisServers) describeQueue(name, onRedis(command));
