import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiProperty, ApiResponse, getSchemaPath } from '@nestjs/swagger';

/** The error body in OpenAPI; {@link Problem} is its TypeScript shape. */
export class ProblemBody {
  @ApiProperty({ example: 'urn:instep:error:request.invalid' }) type: string;
  @ApiProperty({ example: 'Bad request' }) title: string;
  @ApiProperty({ example: 400 }) status: number;
  @ApiProperty({ example: 400 }) status_code: number;
  @ApiProperty({ example: false }) success: boolean;
  @ApiProperty({ example: 'request.invalid' }) code: string;
  @ApiProperty({ example: 'Validation failed' }) message: string;
  @ApiProperty({ example: 'invoice_date must be a date that exists, as YYYY-MM-DD' }) detail: string;
  @ApiProperty({
    required: false,
    additionalProperties: { type: 'array', items: { type: 'string' } },
    example: { invoice_date: ['must be a date that exists, as YYYY-MM-DD'] },
  })
  errors?: Record<string, string[]>;
  @ApiProperty({ example: '4c8a1b9e-5d0c-4c1e-9b63-0a9c3a8f2d11' }) correlation_id: string;
}

const MEANING: Record<number, string> = {
  400: 'A field is wrong; `errors` names it',
  401: 'Sign in first, or the token is no longer valid',
  403: 'Your role does not reach this',
  404: 'There is no such thing',
  409: 'In conflict with what is stored, or the same Idempotency-Key is in flight',
  412: 'It changed since you read it',
  413: 'The body is too large',
  415: 'This Content-Type is not taken here',
  422: 'The Idempotency-Key was used for another request',
  429: 'Too many requests; `Retry-After` says when',
  503: 'Not available now; try again',
};

/** The error statuses that an operation really answers with. */
export function Errors(...statuses: number[]) {
  return applyDecorators(
    ApiExtraModels(ProblemBody),
    ...statuses.map((status) =>
      ApiResponse({
        status,
        description: MEANING[status] ?? 'Refused',
        content: { 'application/problem+json': { schema: { $ref: getSchemaPath(ProblemBody) } } },
      }),
    ),
  );
}
