/** The bridge runs as `npm start` and `bin/crewroom.js` run it: with a small young generation. */
export const bridgeEnv: NodeJS.ProcessEnv = { NODE_OPTIONS: "--max-semi-space-size=4" };
