import { ValidateIf } from 'class-validator';

/** Optional, but not null: class-validator's IsOptional lets null through to columns that have none. */
export const IfGiven = () => ValidateIf((_object, value) => value !== undefined);
