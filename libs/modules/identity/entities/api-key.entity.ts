import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { Role } from '#platform/http/access.js';

/** A machine's key. It belongs to the installation: removing the person who made it does not stop the machine. */
@Entity({ schema: 'identity', name: 'api_key' })
export class ApiKey {
  @PrimaryGeneratedColumn('uuid') id: string;
  @Column('text') name: string;
  @Column('text') role: Role;
  /** Set exactly for the role `terminal`. */
  @Column('text', { name: 'terminal_id', nullable: true }) terminalId: string | null;
  /** SHA-256 of the key. */
  @Column('bytea', { name: 'key_hash', select: false }) keyHash: Buffer;
  @Column('text') hint: string;
  @Column('text', { name: 'created_by' }) createdBy: string;
  @Column('timestamptz', { name: 'created_at', default: () => 'clock_timestamp()' }) createdAt: Date;
  /** To about five minutes. */
  @Column('timestamptz', { name: 'last_used_at', nullable: true }) lastUsedAt: Date | null;
}
