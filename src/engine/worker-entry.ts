/** The worker alone, for tests that run the engine from source. */
import { serve } from './worker.js';

serve();
