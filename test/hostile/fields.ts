/** Every field that an order's body may have. */
import { OrderFields } from "../../src/api/schemas.ts";

export const ORDER_FIELDS: readonly string[] = Object.keys(OrderFields.properties);
