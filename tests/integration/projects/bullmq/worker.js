const VERSION = 1;

const fs = require("fs");
const { Worker } = require("bullmq");

const redis = new URL(process.env.REDIS_URL);
const connection = {
  host: redis.hostname,
  port: Number(redis.port),
  db: Number(redis.pathname.slice(1)),
  maxRetriesPerRequest: null,
};

function note(number, what) {
  fs.appendFileSync(process.env.NOTES, `${number} ${what} ${VERSION} ${process.pid}\n`);
}

const worker = new Worker(
  "tasks",
  async (job) => {
    note(job.data.number, "began");
    await new Promise((done) => setTimeout(done, job.data.seconds * 1000));
    note(job.data.number, "ended");
  },
  { connection },
);
for (const name of ["SIGTERM", "SIGINT"]) {
  process.once(name, async () => {
    await worker.close();
    process.exit(0);
  });
}
worker.waitUntilReady().then(() => console.log("waiting for jobs"));
