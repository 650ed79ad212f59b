/**
 * The OpenAPI document of a running service, as far as inputs are made from it and answers are held against it.
 */
import { Predicate } from "effect"

export type Json = Readonly<Record<string, unknown>>

export interface Parameter {
  readonly name: string
  readonly in: string
  readonly schema: Json
}

export interface Operation {
  /** Such as `GET`. */
  readonly method: string
  /** With its parameters in braces, as in `/v1/workers/{id}`. */
  readonly path: string
  readonly parameters: ReadonlyArray<Parameter>
  /** The media types of its body, each with its schema. */
  readonly bodies: ReadonlyArray<readonly [type: string, schema: Json]>
  /** The media types of its answers, by status. */
  readonly responses: ReadonlyMap<number, ReadonlyArray<string>>
}

const object = (value: unknown): Json => (Predicate.isObject(value) ? value : {})

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

export class OpenApi {
  readonly document: Json
  readonly operations: ReadonlyArray<Operation>

  constructor(document: unknown) {
    this.document = object(document)
    this.operations = Object.entries(object(this.document["paths"])).flatMap(([path, methods]) =>
      Object.entries(object(methods)).map(([method, operation]) =>
        operationOf(method.toUpperCase(), path, object(operation))
      )
    )
  }

  /** The schema that a reference stands for, or the schema itself. */
  resolve(schema: Json): Json {
    const reference = schema["$ref"]
    if (!Predicate.isString(reference)) return schema
    const target = reference
      .split("/")
      .slice(1)
      .reduce<unknown>((at, name) => object(at)[name], this.document)
    return this.resolve(object(target))
  }

  /** The operations that a request may go to; a path without parameters is before one with some. */
  at(method: string, path: string): Operation | undefined {
    const fitting = this.operations.filter(
      (operation) => operation.method === method && patternOf(operation.path).test(path)
    )
    return fitting.find((operation) => operation.path === path) ?? fitting[0]
  }

  static async of(url: string): Promise<OpenApi> {
    const response = await fetch(`${url}/openapi.json`)
    return new OpenApi(await response.json())
  }
}

const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll(".", "\\.").replace(/\{[^}]+\}/g, "[^/]+")}$`)

const operationOf = (method: string, path: string, operation: Json): Operation => ({
  method,
  path,
  parameters: list(operation["parameters"]).map((parameter) => {
    const { in: place, name, schema } = object(parameter)
    return { name: String(name), in: String(place), schema: object(schema) }
  }),
  bodies: Object.entries(object(object(operation["requestBody"])["content"])).map(([type, media]) => [
    type,
    object(object(media)["schema"])
  ]),
  responses: new Map(
    Object.entries(object(operation["responses"])).map(([status, response]) => [
      Number(status),
      Object.keys(object(object(response)["content"]))
    ])
  )
})
