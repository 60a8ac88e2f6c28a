import {
  type ErrorSchema,
  type RJSFSchema,
  type RJSFValidationError,
  toErrorSchema,
  type ValidationData,
  type ValidatorType,
} from '@rjsf/utils'

import { faults } from './config'

/** Lets the form validate without code made from text, which a strict content security policy forbids. */
export const validator: ValidatorType = {
  validateFormData(formData: unknown, schema: RJSFSchema): ValidationData<unknown> {
    const errors = list(schema, formData)
    return { errors, errorSchema: toErrorSchema(errors) as ErrorSchema<unknown> }
  },
  isValid: (schema: RJSFSchema, formData: unknown) => faults(schema, formData).length === 0,
  rawValidation: <Result>(schema: RJSFSchema, formData?: unknown) => ({ errors: list(schema, formData) as Result[] }),
}

function list(schema: object, formData: unknown): RJSFValidationError[] {
  return faults(schema, formData ?? {}).map((f) => ({
    property: '.' + f.pointer.split('/').slice(1).join('.'),
    message: f.detail,
    stack: `${f.pointer} ${f.detail}`,
  }))
}

export default validator
