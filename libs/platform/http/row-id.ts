import { Injectable, type PipeTransform } from '@nestjs/common';
import { invalid } from '../errors/app-error.js';

/** A bigint id out of the path. Text, since JavaScript's numbers end earlier. */
@Injectable()
export class RowId implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!/^[1-9]\d{0,17}$/.test(value)) throw invalid({ id: ['must be a whole number from 1'] });
    return value;
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A uuid out of the path. */
@Injectable()
export class UuidParam implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!UUID.test(value)) throw invalid({ id: ['must be a uuid'] });
    return value.toLowerCase();
  }
}
