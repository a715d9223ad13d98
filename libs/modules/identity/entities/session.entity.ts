import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One sign-in. Its times follow `platform.now()`, so they are written and compared in SQL. */
@Entity({ schema: 'identity', name: 'session' })
export class Session {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'user_id' }) userId: string;
  @Column('text') kind: 'token' | 'cookie';
  /** SHA-256 of the cookie, for kind `cookie`. */
  @Column('bytea', { name: 'secret_hash', nullable: true, select: false }) secretHash: Buffer | null;
  @Column('text', { nullable: true }) address: string | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'last_used_at' }) lastUsedAt: Date;
  @Column('interval', { name: 'idle_for' }) idleFor: string;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt: Date;
  @Column('timestamptz', { name: 'revoked_at', nullable: true }) revokedAt: Date | null;
}
