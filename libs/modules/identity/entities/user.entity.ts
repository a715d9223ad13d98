import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** A person who signs in with an e-mail address and a password. */
@Entity({ schema: 'identity', name: 'user' })
export class User {
  @PrimaryGeneratedColumn('uuid') id: string;
  /** Always lower-case. */
  @Column('text') email: string;
  @Column('text') name: string;
  @Column('text') role: 'viewer' | 'operator' | 'admin';
  /** Argon2id, with its parameters. Not selected unless asked for. */
  @Column('text', { name: 'password_hash', select: false }) passwordHash: string;
  @Column('boolean', { default: false }) disabled: boolean;
  @Column('integer', { default: 1 }) version: number;
  @Column('timestamptz', { name: 'created_at', default: () => 'clock_timestamp()' }) createdAt: Date;
  @Column('timestamptz', { name: 'updated_at', default: () => 'clock_timestamp()' }) updatedAt: Date;
}
