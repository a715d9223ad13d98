import { PlatformFoundation1763600000000 } from './1763600000000-platform-foundation.js';
import { IdentityUsers1763600001000 } from './1763600001000-identity-users.js';
import { SalesInvoices1763600002000 } from './1763600002000-sales-invoices.js';

/** Every migration in order. A class is named `<Module><What><epoch ms>`; its file the same, in kebab-case. */
export const migrations = [
  PlatformFoundation1763600000000,
  IdentityUsers1763600001000,
  SalesInvoices1763600002000,
];
