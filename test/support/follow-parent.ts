/** Preloaded into programs that tests start: ends them when the pipe on their stdin does, so that none outlives its test. */

process.stdin.on("end", () => process.kill(process.pid, "SIGKILL"));
process.stdin.resume();
// Watching must not keep a program alive that has come to its own end.
process.stdin.unref();
