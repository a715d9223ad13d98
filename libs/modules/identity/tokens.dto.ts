import { ApiProperty } from '@nestjs/swagger';

/** What a sign-in or a refresh answers with. */
export class Tokens {
  /** JWT for `Authorization: Bearer`. */
  @ApiProperty({ example: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.<claims>.<signature>' })
  access_token: string;

  /** Good for one refresh, within 7 days. */
  @ApiProperty({ example: 'insr_<43 characters>' })
  refresh_token: string;

  @ApiProperty({ enum: ['Bearer'], example: 'Bearer' })
  token_type: 'Bearer';

  /** Seconds until the access token expires. */
  @ApiProperty({ example: 900 })
  expires_in: number;
}
