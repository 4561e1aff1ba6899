/**
 * PM2: `bun run build`, then `pm2 start ecosystem.config.cjs`. Exactly one instance, never a cluster: each order lives in
 * one process, and a second one on the same DATA_DIR refuses to start.
 */
module.exports = {
  apps: [
    {
      name: "l402-numbers",
      cwd: __dirname,
      script: "dist/l402-numbers",
      // The executable needs none.
      interpreter: "none",
      exec_mode: "fork",
      instances: 1,
      autorestart: true,
      watch: false,
      // Doubles with every crash, up to 15 s, so that a wrong setting does not spin.
      exp_backoff_restart_delay: 200,
      // The service stops by itself within 30 s of SIGINT, which is what PM2 sends.
      kill_timeout: 35_000,
      merge_logs: true,
      // Everything else comes from the environment in which PM2 is started, secrets as files (NAME_FILE).
      env: {
        LOG_FORMAT: "json",
        REFUSE_SANDBOX: "1",
      },
    },
  ],
};
