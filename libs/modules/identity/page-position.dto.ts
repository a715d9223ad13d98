import { ApiProperty } from '@nestjs/swagger';

/** Where a page of a list ends. */
export class PagePosition {
  /** `cursor` of the next page; null on the last. */
  @ApiProperty({ type: String, nullable: true, example: null })
  next_cursor: string | null;

  @ApiProperty({ example: 50 })
  limit: number;
}
