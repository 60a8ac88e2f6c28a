import {
  type ErrorSchema,
  type RJSFSchema,
  type RJSFValidationError,
  toErrorSchema,
  type ValidationData,
  type ValidatorType,
} from '@rjsf/utils'

import { validateConfig } from './config'
import { mistakesOf } from './mistakes'

/** Validates the form without generated code, which a strict content security policy forbids. */
export const validator: ValidatorType = {
  validateFormData(formData: unknown, schema: RJSFSchema): ValidationData<unknown> {
    const errors = validationErrors(schema, formData)
    return { errors, errorSchema: toErrorSchema(errors) as ErrorSchema<unknown> }
  },
  isValid: (schema: RJSFSchema, formData: unknown) => validateConfig(schema, formData).length === 0,
  rawValidation: <Result>(schema: RJSFSchema, formData?: unknown) => ({
    errors: validationErrors(schema, formData) as Result[],
  }),
}

function validationErrors(schema: object, formData: unknown): RJSFValidationError[] {
  return mistakesOf(schema, formData ?? {}).map((f) => ({
    property: '.' + f.pointer.split('/').slice(1).join('.'),
    message: f.detail,
    stack: `${f.pointer} ${f.detail}`,
  }))
}

export default validator
