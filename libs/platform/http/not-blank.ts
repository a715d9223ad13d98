import { type ValidationOptions, registerDecorator } from 'class-validator';

/** A text that says something: not empty, not only spaces. */
export function IsNotBlank(options: ValidationOptions = {}) {
  return (target: object, propertyName: string) =>
    registerDecorator({
      name: 'isNotBlank',
      target: target.constructor,
      propertyName,
      options,
      validator: {
        validate: (value: unknown) => typeof value === 'string' && value.trim() !== '',
        defaultMessage: () => 'must not be blank',
      },
    });
}
