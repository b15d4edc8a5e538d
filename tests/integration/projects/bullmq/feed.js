const readline = require("readline");
const { Queue } = require("bullmq");

const redis = new URL(process.env.REDIS_URL);
const connection = { host: redis.hostname, port: Number(redis.port), db: Number(redis.pathname.slice(1)) };
const queue = new Queue("tasks", { connection });

async function main() {
  console.log("open");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [number, seconds] = line.split(" ").map(Number);
    await queue.add("task", { number, seconds });
    console.log(`queued ${number}`);
  }
}

main();
