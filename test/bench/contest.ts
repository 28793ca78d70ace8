/** Claims and reviews that four clients want at the same time: how many go to more than one of them. */
import { type Contest, contest } from "./contested-room.ts";
import type { Measure, Row } from "./row.ts";
import { grouped } from "./stats.ts";

/** What OpenMOSS did with the same contest, over its own API with four worker processes, measured elsewhere. */
const openMoss = { claims: { doubles: 91, of: 300 }, reviews: { doubles: 47, of: 60 } } as const;

export const contested: Measure = async (progress) => {
  const { claims, reviews } = await contest({ claims: openMoss.claims.of, reviews: openMoss.reviews.of, clients: 4 });
  const row = (what: "claims" | "reviews", { doubles, missed, calls, perSecond }: Contest): Row => {
    const other = openMoss[what];
    progress(`contest, ${what}: ${doubles} doubles, ${missed} missed, ${grouped(perSecond)} calls/s`);
    return {
      what: `${other.of} ${what}, each wanted by 4 MCP clients at once`,
      figure: `${doubles} doubles, ${missed} not given; ${grouped(calls)} calls, ${grouped(perSecond)}/s`,
      limit: "0 doubles",
      comparedWith: `OpenMOSS, measured elsewhere: ${other.doubles} doubles of ${other.of}`,
      ok: doubles === 0 && missed === 0,
      runs: [doubles, missed],
    };
  };
  return [row("claims", claims), row("reviews", reviews)];
};
