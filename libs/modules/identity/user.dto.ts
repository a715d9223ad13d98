import { ApiProperty } from '@nestjs/swagger';

/** A person who may sign in. */
export class UserRow {
  @ApiProperty({ example: '0f4b8a52-6a3e-4a53-9a43-0a3f1f6f8f10', format: 'uuid' })
  id: string;

  @ApiProperty({ example: 'ada@example.com' })
  email: string;

  @ApiProperty({ example: 'Ada Lovelace' })
  name: string;

  @ApiProperty({ enum: ['viewer', 'operator', 'admin'], example: 'operator' })
  role: string;

  /** A disabled person cannot sign in, and is signed out everywhere. */
  @ApiProperty({ example: false })
  disabled: boolean;

  /** Counts the changes; `ETag` and `If-Match` carry it. */
  @ApiProperty({ example: 1 })
  version: number;

  @ApiProperty({ example: '2026-01-02T10:30:00.000Z', format: 'date-time' })
  created_at: string;

  @ApiProperty({ example: '2026-01-02T10:30:00.000Z', format: 'date-time' })
  updated_at: string;
}

/** The columns of a {@link UserRow}, from `identity."user"`. */
export const USER_COLUMNS = `id, email, name, role, disabled, version,
  platform.iso(created_at) as created_at, platform.iso(updated_at) as updated_at`;
