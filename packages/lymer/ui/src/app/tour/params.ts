/** Which step of the tour an address shows. */

import { whole } from "../../model/params.ts";

/** 0: none. */
export const TOUR_PARAMS = { tour: whole(0, 0, 5) };
