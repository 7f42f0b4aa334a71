/** What a pull request is compared with: the base's settings, waivers, report and detections, from git or from files. */
export { obtainCommit, openRepository, type Remote, type Repository } from './git.js';
export { readDetections, writeDetections, DETECTIONS_FILE } from './detections.js';
export { readKept, type Kept } from './kept.js';
export { diffSettings } from './settings-diff.js';
export { settleTerms, type BaseRequest, type Terms } from './terms.js';
export { readHistory, withPoint, writeHistory } from './history.js';
