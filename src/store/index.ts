/** Measurements that were already made, on disk between runs: an interrupted run goes on, an unchanged part is not measured again. */
export {
  keyOf,
  openStore,
  NO_STORE,
  type SharedStore,
  type Shelf,
  type Store,
  type StoreOptions,
} from './store.js';
export { packNumbers, unpackNumbers } from './numbers.js';
export { codeDigest, userCacheFolder } from './place.js';
export { pack, packDigest, unpack, type PackedFile } from './pack.js';
export { putShelves, takeShelves } from './shelves.js';
